"""Live: frames from a camera, a video or a browser, faces in them, and answers about the faces."""
