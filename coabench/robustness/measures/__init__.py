"""What the answers of one model say under conditions that change the picture or the question and not what is right."""
