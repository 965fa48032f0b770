"""What the sandbox serves, described in OpenAPI 3.1: the exchange's API, the admin's, and a page that shows both.

Only words about endpoints live here. The endpoints know nothing of them: the house tests hold the two together, and
property tests hold every answer against its description.
"""
