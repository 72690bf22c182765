// Empty: it lets functions of this package have their bodies elsewhere.
