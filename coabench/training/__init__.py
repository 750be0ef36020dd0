"""The train job: plan, data, schedule, Trainer, development scores, files."""
