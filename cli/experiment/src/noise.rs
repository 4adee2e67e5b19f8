//! Photon noise of the rows of an image, drawn while later rows are still rendered.
//!
//! The deviates of an image are one stream, row after row, so that only one thread at a time can draw them. A thread that has
//! rendered a row leaves it to the thread that is drawing, or else draws those of all rows that it is the turn of. What
//! waits is the rows themselves, not copies of them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use widebragg::lanes::Simd;
use widebragg::noise::Poisson;
use widebragg::random::Ran1;
use widebragg::scene::{Roi, Scene};
use widebragg_formats::memory::reserved;

/// Deviates of the pixels of an image that is being rendered.
#[derive(Debug)]
pub(crate) struct Drawing<'p> {
    simd: Simd,
    roi: Roi,
    columns: usize,
    /// For each row its pixels, from when they are finished until their deviates are drawn.
    finished: Mutex<Vec<Option<&'p [f32]>>>,
    stream: Mutex<Stream<'p>>,
}

/// The deviates so far.
#[derive(Debug)]
struct Stream<'p> {
    poisson: Poisson,
    /// The row whose turn it is.
    next: usize,
    /// One for each pixel of the image.
    deviates: &'p mut [f32],
}

impl<'p> Drawing<'p> {
    /// Draws deviates of the pixels of an image of `scene` from `random` into `deviates`, which are as many as the pixels;
    /// `None` where there is too little memory.
    pub(crate) fn new(scene: &Scene<'_>, random: Ran1, deviates: &'p mut [f32]) -> Option<Self> {
        let (parts, rows) = (scene.parts(), scene.panel().slow_pixels);
        let mut finished = reserved(rows)?;
        finished.resize(rows, None);
        let stream = Stream { poisson: Poisson::drawing_from(random), next: parts.roi.slow_min, deviates };
        Some(Self {
            simd: parts.simd,
            roi: parts.roi,
            columns: scene.panel().fast_pixels,
            finished: Mutex::new(finished),
            stream: Mutex::new(stream),
        })
    }

    /// Takes a finished row, and draws deviates of all rows whose turn it is, unless another thread does.
    pub(crate) fn take(&self, row: usize, pixels: &'p [f32]) {
        if let Some(place) = locked(&self.finished).get_mut(row) {
            *place = Some(pixels);
        }
        if let Ok(mut stream) = self.stream.try_lock() {
            self.draw(&mut stream);
        }
    }

    /// Draws the deviates that are left, once all rows are finished.
    pub(crate) fn finish(self) {
        self.draw(&mut locked(&self.stream));
    }

    fn draw(&self, stream: &mut Stream<'p>) {
        let Roi { fast_min, fast_max, slow_max, .. } = self.roi;
        while stream.next <= slow_max {
            let row = stream.next;
            // Not in the condition of the loop, where the lock would be held while deviates are drawn.
            let pixels = locked(&self.finished).get_mut(row).and_then(Option::take);
            let Some(pixels) = pixels else { break };
            let start = row * self.columns;
            let means = pixels.get(fast_min..=fast_max);
            let deviates = stream.deviates.get_mut(start + fast_min..=start + fast_max);
            if let Some((means, deviates)) = means.zip(deviates) {
                // The lengths are equal.
                let _ = stream.poisson.draw_into(self.simd, means, deviates);
            }
            stream.next += 1;
        }
    }
}

/// What a lock holds, also where a thread has panicked with it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
