"""What people look at: Allure, figures, terminal."""
