"""Pages' tables: how they are read, and how they are written anew from the facts."""
