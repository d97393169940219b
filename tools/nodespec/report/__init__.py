"""What was found, printed: text for people, and the forms that machines and hosts read.

Each module is one form, and imported when that form is asked for. Every function here is pure: it takes a report and,
for text, a way to see a source line, and returns text. Whatever comes from a file is made printable first, so that no
name or line can forge output.
"""
