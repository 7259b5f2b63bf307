"""What two or more apps need; knows none of them."""
