"""What this machine has and lacks, and whether answers depend on the batch."""
