"""What is done with adapters once they are trained: looked at, compared, averaged, written in other layouts."""
