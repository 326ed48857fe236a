"""The reverse diffusion of section 4: sampler, refiners and the weights of every step."""
