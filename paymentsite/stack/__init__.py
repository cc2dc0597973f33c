"""The embedded servers and the supervisor behind `./run`: everything the product needs on a machine with nothing."""
