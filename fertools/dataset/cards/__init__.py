"""What is known about a dataset, for people and machines: OUT/README.md and OUT/croissant.json.

facts      what is known about a dataset, in sentences: for all that follow
steps      how it was made, in words
datasheet  OUT/README.md, and its sections for the cards of exports
snippets   how to read a dataset in several tools, in OUT/README.md
croissant  OUT/croissant.json, the same facts for machines
markdown   tables and lists
"""
