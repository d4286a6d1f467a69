"""Other readers of email beside this service, on the same mails."""
