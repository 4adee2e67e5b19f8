//! OpenCL devices, whose driver is loaded when it is asked for.
#![allow(unsafe_code)] // calls of the driver

use core::ptr::null_mut;
use std::collections::HashMap;

use opencl3::command_queue::CommandQueue;
use opencl3::context::Context;
use opencl3::device::{CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_GPU, Device};
use opencl3::error_codes::ClError;
use opencl3::kernel::{ExecuteKernel, Kernel};
use opencl3::memory::{Buffer, CL_MEM_READ_ONLY, CL_MEM_WRITE_ONLY};
use opencl3::platform::get_platforms;
use opencl3::program::Program;
use opencl3::types::{CL_BLOCKING, cl_device_id};
use widebragg::formulas::StepFormula;
use widebragg::structure_factor::Nodes;

use super::{Driver, Fault, Identity, Pixels, SLOTS, bytes_of};
use crate::cache::ProgramCache;
use crate::interpreter::Rounding;
use crate::tables::{Band, SceneTables};
use crate::text::{Dialect, program};

/// What the programs are compiled with: products and sums as they stand, quotients and roots rounded right.
const OPTIONS: &str = "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt";
/// The same for devices whose f32 quotients are not rounded right; their self-test tells whether mixed precision suffers.
const OPTIONS_WITHOUT_SINGLE: &str = "-cl-std=CL1.2";

/// Work items of a group.
const GROUP: usize = 64;

/// The devices that compute with f64, over all platforms; their places are the N of `opencl:N`.
///
/// # Errors
/// There is no OpenCL, or it has no device.
pub fn devices() -> Result<Vec<Identity>, Fault> {
    Ok(found()?.into_iter().map(|(identity, _)| identity).collect())
}

/// Opens one of the [`devices`].
///
/// # Errors
/// There is no such device, or it cannot be used.
pub fn open(index: usize) -> Result<Box<dyn Driver>, Fault> {
    let devices = found()?;
    let count = devices.len();
    let Some((identity, device)) = devices.into_iter().nth(index) else {
        return Err(Fault::new("opencl", format!("there is no device {index}, only {count}")));
    };
    Ok(Box::new(OpenCl::new(identity, device)?))
}

fn found() -> Result<Vec<(Identity, Device)>, Fault> {
    let none = |_| Fault::new("opencl", "no driver is installed");
    let mut devices = Vec::new();
    for platform in get_platforms().map_err(none)? {
        let of_platform = platform.get_devices(CL_DEVICE_TYPE_ALL).unwrap_or_default();
        let platform = platform.name().unwrap_or_default();
        for device in of_platform.into_iter().map(Device::new) {
            let has_double = device.double_fp_config().is_ok_and(|config| config != 0);
            if !has_double || !device.available().unwrap_or(false) {
                continue;
            }
            let driver = format!("{} {}", platform.trim(), device.driver_version().unwrap_or_default());
            let name = device.name().unwrap_or_default().trim().to_owned();
            let option = format!("opencl:{}", devices.len());
            let is_gpu = device.dev_type().is_ok_and(|kind| kind & CL_DEVICE_TYPE_GPU != 0);
            devices.push((
                Identity { option, name, driver: driver.trim().to_owned(), is_gpu, f64_slowdown: None },
                device,
            ));
        }
    }
    if devices.is_empty() {
        return Err(Fault::new("opencl", "no device that computes with f64"));
    }
    Ok(devices)
}

type Bytes = Buffer<u8>;

/// The tables of a scene on the device.
struct Loaded {
    numbers: Bytes,
    layers: Bytes,
    sources: Bytes,
    grids: Bytes,
    orientations: Bytes,
}

/// A band that the device works on.
struct Slot {
    queue: CommandQueue,
    band: Option<InFlight>,
}

/// The buffers that a band is rendered from and into.
struct InFlight {
    pixels: Bytes,
    fallbacks: Bytes,
    counts_fallbacks: bool,
    /// Read while the band is rendered.
    _inputs: [Bytes; 2],
}

struct OpenCl {
    identity: Identity,
    device: cl_device_id,
    context: Context,
    slots: Vec<Slot>,
    programs: HashMap<StepFormula, Kernel>,
    nodes: Option<Bytes>,
    loaded: Option<Loaded>,
}

impl core::fmt::Debug for OpenCl {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OpenCl").field("identity", &self.identity).finish_non_exhaustive()
    }
}

// SAFETY: OpenCL objects may be used from any thread; `OpenCl` is used by one at a time.
unsafe impl Send for OpenCl {}

impl OpenCl {
    fn new(identity: Identity, device: Device) -> Result<Self, Fault> {
        let fault = |error: ClError| Fault::new(&identity.option, format!("cannot be used: {error}"));
        let context = Context::from_device(&device).map_err(fault)?;
        let queue = |_| {
            let queue = CommandQueue::create_default(&context, 0).map_err(fault)?;
            Ok(Slot { queue, band: None })
        };
        let slots = (0..SLOTS).map(queue).collect::<Result<_, Fault>>()?;
        let device = device.id();
        let programs = HashMap::new();
        Ok(Self { identity, device, context, slots, programs, nodes: None, loaded: None })
    }

    fn lost(&self, error: ClError) -> Fault {
        Fault::new(&self.identity.option, format!("the device failed: {error}"))
    }

    /// A buffer that holds some bytes; at least one, since a buffer cannot be empty.
    fn upload(&self, bytes: &[u8]) -> Result<Bytes, Fault> {
        let mut buffer = self.room(bytes.len(), CL_MEM_READ_ONLY)?;
        if !bytes.is_empty() {
            // SAFETY: the buffer is as long as `bytes`, and the call returns when they have been copied.
            let written =
                unsafe { self.slots[0].queue.enqueue_write_buffer(&mut buffer, CL_BLOCKING, 0, bytes, &[]) };
            written.map_err(|error| self.lost(error))?;
        }
        Ok(buffer)
    }

    fn room(&self, bytes: usize, flags: u64) -> Result<Bytes, Fault> {
        // SAFETY: no memory of the host is handed over.
        let buffer = unsafe { Bytes::create(&self.context, flags, bytes.max(1), null_mut()) };
        buffer.map_err(|error| {
            Fault::new(&self.identity.option, format!("no memory for {bytes} bytes: {error}"))
        })
    }

    fn download(&self, slot: usize, from: &Bytes, to: &mut [u8]) -> Result<(), Fault> {
        if to.is_empty() {
            return Ok(());
        }
        // SAFETY: the buffer is as long as `to`, and the call returns when it has been copied.
        let read = unsafe { self.slots[slot].queue.enqueue_read_buffer(from, CL_BLOCKING, 0, to, &[]) };
        read.map(drop).map_err(|error| self.lost(error))
    }

    /// Compiles the program of a formula, unless it has been.
    fn prepare(&mut self, formula: StepFormula) -> Result<(), Fault> {
        if self.programs.contains_key(&formula) {
            return Ok(());
        }
        let text = program(Dialect::OpenCl, formula);
        let options = self.options();
        let cache = ProgramCache::new(&[&self.identity.name, &self.identity.driver, options, &text]);
        let kept = cache.load().and_then(|binary| {
            Program::create_and_build_from_binary(&self.context, &[&binary], options).ok()
        });
        let program = match kept {
            Some(program) => program,
            None => {
                let program = self.compile(&text, options)?;
                if let Some(binary) =
                    program.get_binaries().ok().and_then(|binaries| binaries.into_iter().next())
                {
                    cache.keep(&binary);
                }
                program
            }
        };
        let kernel = Kernel::create(&program, "render").map_err(|error| self.lost(error))?;
        self.programs.insert(formula, kernel);
        Ok(())
    }

    /// What programs are compiled with on this device.
    fn options(&self) -> &'static str {
        let device = Device::new(self.device);
        // CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT
        let rounds_single = device.single_fp_config().is_ok_and(|config| config & (1 << 7) != 0);
        if rounds_single { OPTIONS } else { OPTIONS_WITHOUT_SINGLE }
    }

    fn compile(&self, text: &str, options: &str) -> Result<Program, Fault> {
        Program::create_and_build_from_source(&self.context, text, options).map_err(|log| {
            let first = log.lines().find(|line| line.contains("error")).unwrap_or("no reason given");
            Fault::new(&self.identity.option, format!("the driver does not compile the program: {first}"))
        })
    }

    /// Waits for all bands.
    fn settle(&self) -> Result<(), Fault> {
        self.slots.iter().try_for_each(|slot| slot.queue.finish()).map_err(|error| self.lost(error))
    }
}

impl Driver for OpenCl {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn rounding(&self) -> Rounding {
        // fma() of OpenCL is fused by definition.
        Rounding::Fused
    }

    fn load_nodes(&mut self, nodes: Nodes<'_>) -> Result<(), Fault> {
        self.settle()?;
        // What is replaced makes room first.
        self.nodes = None;
        self.nodes = Some(self.upload(bytes_of(&nodes))?);
        Ok(())
    }

    fn load_tables(&mut self, tables: &SceneTables) -> Result<(), Fault> {
        self.settle()?;
        self.loaded = None;
        self.loaded = Some(Loaded {
            numbers: self.upload(bytemuck::cast_slice(&tables.numbers))?,
            layers: self.upload(bytemuck::cast_slice(&tables.layers))?,
            sources: self.upload(bytemuck::cast_slice(&tables.sources))?,
            grids: self.upload(bytemuck::cast_slice(&tables.grids))?,
            orientations: self.upload(bytemuck::cast_slice(&tables.orientations))?,
        });
        Ok(())
    }

    fn start(&mut self, slot: usize, band: &Band) -> Result<(), Fault> {
        self.prepare(band.formula)?;
        let (counts, lines) = (
            self.upload(bytemuck::cast_slice(&band.counts))?,
            self.upload(bytemuck::cast_slice(&band.lines))?,
        );
        let pixels = self.room(band.pixels() * band.pixel_type.bytes(), CL_MEM_WRITE_ONLY)?;
        let fallbacks = self.room(band.fallback_bytes(), CL_MEM_WRITE_ONLY)?;
        let (Some(loaded), Some(nodes), Some(kernel)) =
            (&self.loaded, &self.nodes, self.programs.get(&band.formula))
        else {
            return Err(Fault::new(&self.identity.option, "a band was started without its tables"));
        };
        let Loaded { numbers, layers, sources, grids, orientations } = loaded;
        let arguments = [
            &counts,
            numbers,
            layers,
            &lines,
            sources,
            grids,
            orientations,
            nodes,
            nodes,
            &pixels,
            &pixels,
            &fallbacks,
        ];
        let mut call = ExecuteKernel::new(kernel);
        for argument in arguments {
            // SAFETY: the arguments are the buffers of the kernel in their order, and as long as the tables that it reads.
            unsafe { call.set_arg(argument) };
        }
        call.set_global_work_sizes(&[band.columns.len().next_multiple_of(GROUP), band.rows.len()]);
        call.set_local_work_sizes(&[GROUP, 1]);
        // SAFETY: all buffers live until the slot is finished or the device is dropped.
        let started = unsafe { call.enqueue_nd_range(&self.slots[slot].queue) };
        started.and_then(|_| self.slots[slot].queue.flush()).map_err(|error| self.lost(error))?;
        let counts_fallbacks = band.counts_fallbacks();
        self.slots[slot].band =
            Some(InFlight { pixels, fallbacks, counts_fallbacks, _inputs: [counts, lines] });
        Ok(())
    }

    fn finish(&mut self, slot: usize, mut pixels: Pixels<'_>, fallbacks: &mut [u32]) -> Result<(), Fault> {
        let Some(band) = self.slots[slot].band.take() else {
            return Err(Fault::new(&self.identity.option, "a band was finished that was not started"));
        };
        self.download(slot, &band.pixels, pixels.bytes())?;
        if band.counts_fallbacks {
            self.download(slot, &band.fallbacks, bytemuck::cast_slice_mut(fallbacks))?;
        }
        Ok(())
    }
}

/// Waits for the device, which reads the buffers until it is done.
impl Drop for OpenCl {
    fn drop(&mut self) {
        // A lost device reads nothing any more.
        let _ = self.settle();
    }
}
