"""Turns AI-Hub's Korean emotion photos into stratified TFRecords of face crops."""

__version__ = "0.1.0"
