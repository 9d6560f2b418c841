"""What is kept and for how long: persons' data and ended projects. Streams of their own, beside those of projects."""
