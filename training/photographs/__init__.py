"""Try-on scenes with true light: geometries rendered once under a basis of lights, combined into photos."""
