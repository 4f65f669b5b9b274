"""Describe the layouts of data sets, as data: `--preset NAME`.

preset   what a preset consists of: patterns, tables, class words, split words
known    all presets
listing  list them, and recognise the layout of an archive
"""
