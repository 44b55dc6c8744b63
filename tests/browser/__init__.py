"""Pages in a real browser: Chromium, headless, driven by Selenium. Skipped where one of them is missing."""
