"""Reports: Allure, the HTML page, pictures, the terminal."""
