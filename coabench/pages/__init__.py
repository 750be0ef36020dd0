"""Pages: how they are made (`page`, `charts`), what they carry (`samples`, `thumbnails`), and their templates."""
