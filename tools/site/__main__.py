"""`python -m tools.site`: build the site."""

from tools.site.build import main

main()
