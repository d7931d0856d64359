"""What one call uses: arguments, validated once."""
