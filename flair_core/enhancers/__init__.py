"""Enhancers G of eq. (12): what makes a face crisper at every step, and the locks that keep them honest."""
