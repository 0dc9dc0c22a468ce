"""The formula language: arithmetic on the series and events of a house. Imports no Django."""
