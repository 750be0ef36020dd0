"""From an image and a strategy to an answer with its label: engine, parsing, prompt files, image loading."""
