"""Who may do what, and where: users, roles, the scope of each, and the one door through which a page is reached."""
