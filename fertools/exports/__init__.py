"""Write a dataset in the formats of other tools: `fertools export-dataset`.

export       export_dataset: plan the units, run them in workers, make the folder whole
plan         which examples make a unit, and so a file
task         export one unit in a worker
destination  the folder: whose it is, what is finished in it, and how it becomes whole
formats      the formats, by the word of --to
parquet      data/train-00000-of-00003.parquet, for Hugging Face datasets
webdataset   train-00000-of-00003.tar, for webdataset
folders      train/기쁨/KEY.png, for torchvision's ImageFolder
table        an example as a row
names        the names of files and folders
card         README.md, for Hugging Face with its front matter
croissant    croissant.json of parquet files, with their records
"""
