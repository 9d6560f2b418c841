"""How people ask: pages, rendered here, in English and Chinese. They go through the same door as programs."""
