"""Write a dataset as one HTML page that needs no network: `fertools report`.

    page         compose the page and write it: the function `report`
    content      collect everything that the page shows, and the data that page.js reads
    rows         choose the ledger rows that the page shows, and read them
    lists        choose single examples: doubtful labels, mistakes, drops
    pairs        find the most similar crops of different people
    thumbnails   make small WebP pictures of crops and dropped photos
    network      read what a training run and its evaluation wrote
    figures      draw the charts of a dataset, from what `stats --json` prints
    results      draw the charts of a network
    charts       draw bars, histograms, lines and matrices as inline SVG, each with a table
    sections     make the page around the charts: head, filter, lists, tables
    markup       build HTML whose texts are escaped by construction
    columns      turn ledger rows into columns; choose those of a page to share
    embed        pack data, scripts and styles into the page, with its content security policy

    page.html, page.css, page.js   the frame, the style, and the wall of crops

There is no chart library and no framework: docs/decisions.md has the sizes.
"""
