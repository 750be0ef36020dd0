"""What everything rests on and nothing of the bench is known to: files, text, YAML, processes, the machine."""
