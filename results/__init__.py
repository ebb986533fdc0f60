"""What runs leave behind: the run folder and its ledger, tables, judged targets, summaries."""
