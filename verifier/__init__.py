"""What an auditor takes along: one file that checks a pack without Tandem."""
