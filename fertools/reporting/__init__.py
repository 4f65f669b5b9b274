"""Write a dataset as one HTML page that needs no network: `fertools report`.

    page         compose the page and write it: the function `report`
    content      everything that the page shows, and the data that page.js reads
    rows         choose the ledger rows that the page shows, and read them
    lists        choose what is worth a look: doubtful labels, mistakes, drops
    pairs        the most similar crops of different people
    thumbnails   crops and dropped photos as small WebP pictures
    network      what a training run and its evaluation left on disk
    figures      the charts of a dataset, from the dictionary that `stats --json` prints
    results      the charts of a network
    charts       bars, histograms, lines and matrices as inline SVG, each with a table
    sections     the page around the charts: head, filter, lists, tables
    markup       build HTML whose texts are escaped by construction
    columns      ledger rows as columns; which of them a page to share has
    embed        pack data, scripts and styles into the page, with its content security policy

    page.html, page.css, page.js   the frame, the style, and the wall of crops

There is no chart library and no framework: docs/decisions.md has the sizes.
"""
