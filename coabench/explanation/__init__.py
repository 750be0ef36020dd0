"""What the answers of a run hang on: parts of the images are covered, and the questions are asked again."""
