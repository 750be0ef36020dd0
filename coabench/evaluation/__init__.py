"""The evaluate job: plan, respondent, records, and how a run ends."""
