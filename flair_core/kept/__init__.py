"""What is kept between runs, and the hashes that tell when it still holds."""
