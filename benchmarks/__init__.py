"""How fast Tandem is, compared within one run with what one would otherwise use. See README.md."""
