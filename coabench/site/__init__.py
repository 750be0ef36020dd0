"""The serve job: a folder of runs as a site that follows what happens in it. It reads, and writes nothing.

Read in this order: `listing` (what lies in the folder), `progress` (how far what runs is), `index` (the first page),
`pages` (the others), `app` (addresses and answers), `job`. Who may come in: `coabench.web`.
"""
