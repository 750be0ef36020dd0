"""What the answers of a run depend on: parts of the images are covered, and the questions are asked again."""
