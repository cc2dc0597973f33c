"""The door for signed notices: from a raw request to an answer."""
