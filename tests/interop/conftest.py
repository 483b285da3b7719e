"""What the tests of several peers share is beside this file: pytest finds it because this is here."""
