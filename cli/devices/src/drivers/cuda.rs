//! NVIDIA's devices by CUDA, whose driver is loaded when it is asked for.
//!
//! This driver was never run on a GPU. What could be tested without one: the texts are compiled to the instructions of
//! several generations of devices, and machines without the driver are told so.
#![allow(unsafe_code)] // calls of the driver

use core::ffi::c_int;
use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdevice_attribute, CUresult};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, DriverError, LaunchConfig, PushKernelArg, result,
};
use cudarc::nvrtc::Ptx;
use widebragg::formulas::StepFormula;
use widebragg::structure_factor::Nodes;

use super::{Driver, Fault, Identity, Pixels, SLOTS, bytes_of};
use crate::interpreter::Rounding;
use crate::ptx::program_of;
use crate::tables::{Band, NUMBERS_LENGTH, SceneTables};

/// The least version of CUDA that a driver must know, as it counts versions: 12.0, whose PTX the programs are.
const LEAST_CUDA: c_int = 12_000;

/// The least compute capability that the programs are for.
const LEAST_CAPABILITY: (c_int, c_int) = (8, 0);

/// Threads of a block, which are neighbours in a row.
const BLOCK: u32 = 128;

/// The devices that the programs are for; their places are the N of `cuda:N`.
///
/// # Errors
/// There is no driver, it is too old, or it has no device that the programs are for.
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
    let Some((identity, ordinal)) = devices.into_iter().nth(index) else {
        let (major, minor) = LEAST_CAPABILITY;
        return Err(Fault::new(
            "cuda",
            format!(
                "there is no device {index}, only {count} of compute capability {major}.{minor} or newer"
            ),
        ));
    };
    Ok(Box::new(Cuda::new(identity, ordinal)?))
}

/// The devices, and the numbers that the driver has for them.
fn found() -> Result<Vec<(Identity, usize)>, Fault> {
    // SAFETY: the library of the driver is loaded and let go, which runs its initialisers alone.
    if !unsafe { sys::is_culib_present() } {
        return Err(Fault::new("cuda", "no driver is installed"));
    }
    let cannot =
        |error: DriverError| Fault::new("cuda", format!("the driver cannot be used: {}", reason(error)));
    let cuda = cuda_version().map_err(cannot)?;
    if cuda < LEAST_CUDA {
        let (known, least) = (version_text(cuda), version_text(LEAST_CUDA));
        return Err(Fault::new(
            "cuda",
            format!("the driver is for CUDA {known}; {least} or newer is needed"),
        ));
    }
    let count = match CudaContext::device_count() {
        Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => 0,
        count => count.map_err(cannot)?,
    };
    let driver = driver_version().map_or_else(String::new, |version| format!(", driver {version}"));
    let driver = format!("CUDA {}{driver}", version_text(cuda));
    let (mut devices, mut refused) = (Vec::new(), None);
    for ordinal in 0..count {
        let device = result::device::get(ordinal).map_err(cannot)?;
        let name = result::device::get_name(device).map_err(cannot)?;
        let capability = capability(device).map_err(cannot)?;
        if capability < LEAST_CAPABILITY {
            refused.get_or_insert((name, capability));
            continue;
        }
        let option = format!("cuda:{}", devices.len());
        let f64_slowdown = f64_slowdown(device);
        let identity = Identity { option, name, driver: driver.clone(), is_gpu: true, f64_slowdown };
        // The driver counts devices from 0.
        devices.push((identity, ordinal as usize));
    }
    match refused {
        _ if !devices.is_empty() => Ok(devices),
        None => Err(Fault::new("cuda", "the driver has no device")),
        Some((name, (major, minor))) => {
            let (least, least_minor) = LEAST_CAPABILITY;
            let needed = format!("{least}.{least_minor} or newer is needed");
            Err(Fault::new("cuda", format!("{name} has compute capability {major}.{minor}; {needed}")))
        }
    }
}

/// The version of CUDA that the driver is for, as it counts versions.
fn cuda_version() -> Result<c_int, DriverError> {
    let mut version = 0;
    // SAFETY: the driver writes one integer, and needs no initialisation for it.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok(version)
}

/// `12.4` for the driver's 12040.
fn version_text(version: c_int) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// The version of the driver itself, which Linux's module tells.
fn driver_version() -> Option<String> {
    version_in(&fs::read_to_string("/proc/driver/nvidia/version").ok()?)
}

/// The first word that consists of numbers and points.
fn version_in(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        word.contains('.')
            && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split_whitespace().find(is_version).map(str::to_owned)
}

/// How many times as long f64 takes as f32.
fn f64_slowdown(device: sys::CUdevice) -> Option<u32> {
    let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO;
    // SAFETY: the driver named the device.
    let ratio = unsafe { result::device::get_attribute(device, attribute) };
    ratio.ok().and_then(|ratio| u32::try_from(ratio).ok())
}

fn capability(device: sys::CUdevice) -> Result<(c_int, c_int), DriverError> {
    use CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
    };
    // SAFETY: the driver named the device.
    let attribute = |attribute| unsafe { result::device::get_attribute(device, attribute) };
    Ok((attribute(MAJOR)?, attribute(MINOR)?))
}

/// An error in the driver's words.
fn reason(error: DriverError) -> String {
    match error.error_string().map(|text| text.to_string_lossy()) {
        Ok(text) => text.into_owned(),
        Err(_) => format!("{:?}", error.0),
    }
}

type Bytes = CudaSlice<u8>;

/// The tables of a scene: the numbers, which programs are given by value, and what lies on the device.
struct Loaded {
    numbers: Box<[f64; NUMBERS_LENGTH]>,
    layers: Bytes,
    sources: Bytes,
    grids: Bytes,
    orientations: Bytes,
}

/// A band that the device works on.
struct Slot {
    stream: Arc<CudaStream>,
    band: Option<InFlight>,
}

/// The buffers that a band is rendered from and into.
struct InFlight {
    pixels: Bytes,
    fallbacks: Bytes,
    counts_fallbacks: bool,
    /// Read while the band is rendered.
    _lines: Bytes,
}

struct Cuda {
    identity: Identity,
    context: Arc<CudaContext>,
    slots: Vec<Slot>,
    programs: HashMap<StepFormula, CudaFunction>,
    nodes: Option<Bytes>,
    loaded: Option<Loaded>,
}

impl core::fmt::Debug for Cuda {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cuda").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Cuda {
    fn new(identity: Identity, ordinal: usize) -> Result<Self, Fault> {
        let fault =
            |error: DriverError| Fault::new(&identity.option, format!("cannot be used: {}", reason(error)));
        let context = CudaContext::new(ordinal).map_err(fault)?;
        let slot = |_| Ok(Slot { stream: context.new_stream().map_err(fault)?, band: None });
        let slots = (0..SLOTS).map(slot).collect::<Result<_, Fault>>()?;
        Ok(Self { identity, context, slots, programs: HashMap::new(), nodes: None, loaded: None })
    }

    fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::new(&self.identity.option, what)
    }

    fn lost(&self, error: DriverError) -> Fault {
        self.fault(format!("the device failed: {}", reason(error)))
    }

    /// What a failed request for memory means: too little memory, or a device that failed.
    fn no_room(&self, bytes: usize, error: DriverError) -> Fault {
        match error {
            DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY) => {
                self.fault(format!("no memory for {bytes} bytes"))
            }
            _ => self.lost(error),
        }
    }

    /// A buffer that holds some bytes, copied in the order of a slot's work; at least one, since none can be empty.
    fn upload(&self, slot: usize, bytes: &[u8]) -> Result<Bytes, Fault> {
        let bytes = if bytes.is_empty() { &[0] } else { bytes };
        self.slots[slot].stream.clone_htod(bytes).map_err(|error| self.no_room(bytes.len(), error))
    }

    fn room(&self, slot: usize, bytes: usize) -> Result<Bytes, Fault> {
        self.slots[slot].stream.alloc_zeros(bytes.max(1)).map_err(|error| self.no_room(bytes, error))
    }

    fn download(&self, slot: usize, from: &Bytes, to: &mut [u8]) -> Result<(), Fault> {
        if to.is_empty() {
            return Ok(());
        }
        if to.len() != from.len() {
            return Err(self.fault("a band was finished into memory of another length"));
        }
        let stream = &self.slots[slot].stream;
        // The copy is whole, and the errors of what came before it are known, when the stream has nothing left to do.
        stream.memcpy_dtoh(from, to).and_then(|()| stream.synchronize()).map_err(|error| self.lost(error))
    }

    /// Loads the program of a formula, unless it has been; the driver compiles it, and keeps what it compiles.
    fn prepare(&mut self, formula: StepFormula) -> Result<(), Fault> {
        if self.programs.contains_key(&formula) {
            return Ok(());
        }
        let ptx = program_of(formula)
            .ok_or_else(|| self.fault(format!("no program for {} {}", formula.lattice, formula.lookup)))?;
        let module = self.context.load_module(Ptx::from_src(ptx));
        let render = module.and_then(|module| module.load_function("render"));
        let render = render.map_err(|error| {
            self.fault(format!("the driver does not compile the program: {}", reason(error)))
        })?;
        self.programs.insert(formula, render);
        Ok(())
    }

    /// Waits for all bands.
    fn settle(&self) -> Result<(), Fault> {
        self.slots.iter().try_for_each(|slot| slot.stream.synchronize()).map_err(|error| self.lost(error))
    }
}

impl Driver for Cuda {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn rounding(&self) -> Rounding {
        // Every device of compute capability 2.0 or later has a fused multiply-add, and uses it where the PTX has `fma`.
        Rounding::Fused
    }

    fn load_nodes(&mut self, nodes: Nodes<'_>) -> Result<(), Fault> {
        self.settle()?;
        // What is replaced makes room first.
        self.nodes = None;
        self.nodes = Some(self.upload(0, bytes_of(&nodes))?);
        self.settle()
    }

    fn load_tables(&mut self, tables: &SceneTables) -> Result<(), Fault> {
        self.settle()?;
        self.loaded = None;
        let numbers = tables.numbers.as_slice().try_into();
        self.loaded = Some(Loaded {
            numbers: Box::new(
                numbers.map_err(|_| self.fault("a scene has other numbers than programs take"))?,
            ),
            layers: self.upload(0, bytemuck::cast_slice(&tables.layers))?,
            sources: self.upload(0, bytemuck::cast_slice(&tables.sources))?,
            grids: self.upload(0, bytemuck::cast_slice(&tables.grids))?,
            orientations: self.upload(0, bytemuck::cast_slice(&tables.orientations))?,
        });
        self.settle()
    }

    fn start(&mut self, slot: usize, band: &Band) -> Result<(), Fault> {
        self.prepare(band.formula)?;
        let lines = self.upload(slot, bytemuck::cast_slice(&band.lines))?;
        let pixels = self.room(slot, band.pixels() * band.pixel_type.bytes())?;
        let fallbacks = self.room(slot, band.fallback_bytes())?;
        let (Some(loaded), Some(nodes), Some(program)) =
            (&self.loaded, &self.nodes, self.programs.get(&band.formula))
        else {
            return Err(self.fault("a band was started without its tables"));
        };
        let Loaded { numbers, layers, sources, grids, orientations } = loaded;
        let [columns, rows, ..] = band.counts;
        let config = LaunchConfig {
            // There may be more rows than the other dimensions of a grid can hold.
            grid_dim: (rows, columns.div_ceil(BLOCK), 1),
            block_dim: (BLOCK, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut call = self.slots[slot].stream.launch_builder(program);
        call.arg(&band.counts).arg(&**numbers);
        for table in
            [layers, &lines, sources, grids, orientations, nodes, nodes, &pixels, &pixels, &fallbacks]
        {
            call.arg(table);
        }
        // SAFETY: the arguments are those of the program in their order, and the buffers as long as the tables that it
        // reads and writes, as `counts` says. All buffers live until the slot is finished or the device is dropped,
        // which waits.
        let started = unsafe { call.launch(config) };
        started.map_err(|error| self.lost(error))?;
        let counts_fallbacks = band.counts_fallbacks();
        self.slots[slot].band = Some(InFlight { pixels, fallbacks, counts_fallbacks, _lines: lines });
        Ok(())
    }

    fn finish(&mut self, slot: usize, mut pixels: Pixels<'_>, fallbacks: &mut [u32]) -> Result<(), Fault> {
        let Some(band) = self.slots[slot].band.take() else {
            return Err(self.fault("a band was finished that was not started"));
        };
        self.download(slot, &band.pixels, pixels.bytes())?;
        if band.counts_fallbacks {
            self.download(slot, &band.fallbacks, bytemuck::cast_slice_mut(fallbacks))?;
        }
        Ok(())
    }
}

/// Waits for the device, which reads the buffers until it is done.
impl Drop for Cuda {
    fn drop(&mut self) {
        // A lost device reads nothing any more.
        let _ = self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a driver, the libraries that access it panic.
    #[test]
    fn a_machine_without_devices_is_told_so_in_one_line() {
        let Err(fault) = devices() else {
            assert!(open(usize::MAX).is_err());
            return;
        };
        assert_eq!(fault.device, "cuda");
        assert!(!fault.what.is_empty() && !fault.what.contains('\n'), "{fault}");
        assert_eq!(open(0).err(), Some(fault));
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(version_text(12_040), "12.4");
        let module = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n\
                      GCC version:  gcc version 11.4.0\n";
        assert_eq!(version_in(module).as_deref(), Some("535.104.05"));
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build\n";
        assert_eq!(version_in(open).as_deref(), Some("550.54.14"));
        assert_eq!(version_in("NVRM version: none.\n"), None);
    }
}
