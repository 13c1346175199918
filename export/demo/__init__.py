"""The whole way in one command: export the embedded model and talk with it through its Core ML package."""
