"""Everything that writes in this app. Doors call these, nothing else saves."""
