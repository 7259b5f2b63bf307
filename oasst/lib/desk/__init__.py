"""What the admin pages of every app share: read-only lists that stay fast, and logged actions."""
