"""The figures as tables, as a picture and as a record."""
