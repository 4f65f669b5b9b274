"""Write a dataset as one HTML page that needs no network: `fertools report`.

    page         compose the page and write it: the function `report`
    rows         choose the ledger rows that the page shows, and read them
    thumbnails   the crops of those rows as small WebP pictures
    pairs        the most similar crops of different people
    network      what a training run and its evaluation left on disk
    figures      the charts of a dataset, from the dictionary that `stats --json` prints
    results      the charts of a network
    charts       bars, histograms, lines and matrices as inline SVG, each with a table
    markup       build HTML whose texts are escaped by construction
    embed        pack data, scripts and styles into the page, with its content security policy

    page.html, page.css, page.js   the frame, the style, and the wall of crops

There is no chart library and no framework: docs/decisions.md has the sizes.
"""
