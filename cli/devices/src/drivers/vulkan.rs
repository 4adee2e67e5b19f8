//! Devices of Vulkan, with the feature `vulkan`. Their driver is loaded when it is asked for, and keeps compiled programs itself.
#![allow(unsafe_code)] // a program that wgpu does not check

use core::error::Error;
use core::iter;
use core::panic::AssertUnwindSafe;
use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use pollster::block_on;
use wgpu::{
    Adapter, Backends, BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout,
    BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType, Buffer, BufferBindingType,
    BufferDescriptor, BufferUsages, ComputePipeline, ComputePipelineDescriptor, Device, DeviceDescriptor,
    DeviceType, ExperimentalFeatures, Features, Instance, InstanceDescriptor, InstanceFlags, MapMode,
    PassthroughShaderEntryPoint, PipelineLayout, PipelineLayoutDescriptor, PollType, Queue, ShaderModule,
    ShaderModuleDescriptorPassthrough, ShaderStages, SubmissionIndex,
};
use widebragg::formulas::StepFormula;
use widebragg::structure_factor::Nodes;

use super::{Driver, Fault, Identity, Pixels, SLOTS, bytes_of};
use crate::interpreter::Rounding;
use crate::tables::{Band, SceneTables};
use crate::text::{spirv, wgsl};

/// What a device must have. Those without f64 are left out.
const FEATURES: Features =
    Features::SHADER_F64.union(Features::SHADER_INT64).union(Features::PASSTHROUGH_SHADERS);

/// The buffers of a program, of which the last two are written.
const BUFFERS: u32 = 8;
const FIRST_WRITTEN: u32 = BUFFERS - 2;

/// The devices that compute with f64; their places are the N of `vulkan:N`.
///
/// # Errors
/// There is no Vulkan, or it has no device.
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
    let Some((identity, adapter)) = devices.into_iter().nth(index) else {
        return Err(Fault::new("vulkan", format!("there is no device {index}, only {count}")));
    };
    Ok(Box::new(Vulkan::new(identity, &adapter)?))
}

fn found() -> Result<Vec<(Identity, Adapter)>, Fault> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::VULKAN,
        flags: InstanceFlags::empty(),
        ..InstanceDescriptor::new_without_display_handle()
    });
    let adapters = block_on(instance.enumerate_adapters(Backends::VULKAN));
    if adapters.is_empty() {
        return Err(Fault::new("vulkan", "no driver is installed"));
    }
    let usable = adapters.into_iter().filter(|adapter| adapter.features().contains(FEATURES));
    let devices: Vec<_> = usable.enumerate().map(|(i, adapter)| (identity(i, &adapter), adapter)).collect();
    if devices.is_empty() {
        return Err(Fault::new("vulkan", "no device that computes with f64"));
    }
    Ok(devices)
}

fn identity(index: usize, adapter: &Adapter) -> Identity {
    let info = adapter.get_info();
    Identity {
        option: format!("vulkan:{index}"),
        name: info.name.trim().to_owned(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        is_gpu: info.device_type != DeviceType::Cpu,
        f64_slowdown: None,
    }
}

/// The tables of a scene on the device.
#[derive(Debug)]
struct Loaded {
    /// Those of f64, one after the other.
    tables: Buffer,
    grids: Buffer,
}

/// A band that the device works on.
#[derive(Debug)]
struct InFlight {
    submission: SubmissionIndex,
    /// Pixels, and after them fallbacks where they are counted.
    results: Buffer,
    pixels: usize,
    counts_fallbacks: bool,
}

#[derive(Debug)]
struct Vulkan {
    identity: Identity,
    device: Device,
    queue: Queue,
    bindings: BindGroupLayout,
    layout: PipelineLayout,
    programs: HashMap<StepFormula, ComputePipeline>,
    nodes: Option<Buffer>,
    loaded: Option<Loaded>,
    slots: [Option<InFlight>; SLOTS],
    /// The first error since the last look, which wgpu would otherwise panic about.
    error: Arc<Mutex<Option<String>>>,
}

impl Vulkan {
    fn new(identity: Identity, adapter: &Adapter) -> Result<Self, Fault> {
        let descriptor = DeviceDescriptor {
            required_features: FEATURES,
            required_limits: adapter.limits(),
            // SAFETY: of what this makes available, only programs that wgpu does not check are used, see `shader`.
            experimental_features: unsafe { ExperimentalFeatures::enabled() },
            ..Default::default()
        };
        let (device, queue) = block_on(adapter.request_device(&descriptor)).map_err(|error| {
            Fault::new(&identity.option, format!("cannot be used: {}", spirv::one_line(&error)))
        })?;
        let error = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&error);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get_or_insert_with(|| spirv::one_line(&error));
        }));
        let entries: Vec<BindGroupLayoutEntry> = (0..BUFFERS).map(layout_entry).collect();
        let bindings =
            device.create_bind_group_layout(&BindGroupLayoutDescriptor { label: None, entries: &entries });
        let layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
            bind_group_layouts: &[Some(&bindings)],
            ..Default::default()
        });
        let vulkan = Self {
            identity,
            device,
            queue,
            bindings,
            layout,
            programs: HashMap::new(),
            nodes: None,
            loaded: None,
            slots: [const { None }; SLOTS],
            error,
        };
        vulkan.check("cannot be used")?;
        Ok(vulkan)
    }

    fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::new(&self.identity.option, what)
    }

    fn failed(&self, error: &dyn Error) -> Fault {
        self.fault(format!("the device failed: {}", spirv::one_line(error)))
    }

    /// Whether everything since the last call went well.
    fn check(&self, what: &str) -> Result<(), Fault> {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.map_or(Ok(()), |error| Err(self.fault(format!("{what}: {error}"))))
    }

    fn room(&self, bytes: usize, usage: BufferUsages, mapped_at_creation: bool) -> Result<Buffer, Fault> {
        // A multiple of the largest number that programs read, and not empty.
        let size = bytes.max(1).next_multiple_of(size_of::<f64>()) as u64;
        let most = self.device.limits().max_storage_buffer_binding_size;
        if size > most {
            return Err(self.fault(format!("no memory for {bytes} bytes, only for {most} at a time")));
        }
        let buffer =
            self.device.create_buffer(&BufferDescriptor { label: None, size, usage, mapped_at_creation });
        self.check(&format!("no memory for {bytes} bytes"))?;
        Ok(buffer)
    }

    /// A buffer that holds some tables, one after the other.
    fn upload(&self, tables: &[&[u8]]) -> Result<Buffer, Fault> {
        let bytes = tables.iter().map(|table| table.len()).sum();
        let buffer = self.room(bytes, BufferUsages::STORAGE, true)?;
        let mut view = buffer.get_mapped_range_mut(..).map_err(|error| self.failed(&error))?;
        let mut at = 0;
        for table in tables {
            view.slice(at..at + table.len()).copy_from_slice(table);
            at += table.len();
        }
        drop(view);
        buffer.unmap();
        self.check("the device failed")?;
        Ok(buffer)
    }

    /// Compiles the program of a formula, unless it has been.
    fn prepare(&mut self, formula: StepFormula) -> Result<(), Fault> {
        if self.programs.contains_key(&formula) {
            return Ok(());
        }
        let words = spirv::module(&wgsl::program(formula))
            .map_err(|error| self.fault(format!("the program is wrong: {error}")))?;
        let module = self.shader(words);
        let program = self.device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: None,
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some(wgsl::ENTRY_POINT),
            compilation_options: Default::default(),
            cache: None,
        });
        self.check("the driver does not compile")?;
        self.programs.insert(formula, program);
        Ok(())
    }

    fn shader(&self, words: Vec<u32>) -> ShaderModule {
        let entry_point = PassthroughShaderEntryPoint {
            name: wgsl::ENTRY_POINT.into(),
            workgroup_size: (wgsl::GROUP_PIXELS, 1, 1),
        };
        let descriptor = ShaderModuleDescriptorPassthrough {
            entry_points: vec![entry_point].into(),
            spirv: Some(words.into()),
            ..Default::default()
        };
        // SAFETY: naga has found the module valid before decorations were added to it. It reads and writes the buffers of
        // `bindings` within the lengths that their tables say, and its loops end.
        unsafe { self.device.create_shader_module_passthrough(descriptor) }
    }

    fn bind(&self, buffers: [&Buffer; BUFFERS as usize]) -> BindGroup {
        let resources = buffers.into_iter().map(Buffer::as_entire_binding);
        let entries: Vec<BindGroupEntry<'_>> =
            (0..).zip(resources).map(|(binding, resource)| BindGroupEntry { binding, resource }).collect();
        let layout = &self.bindings;
        self.device.create_bind_group(&BindGroupDescriptor { label: None, layout, entries: &entries })
    }

    /// Waits for a submission.
    fn wait(&self, submission: SubmissionIndex) -> Result<(), Fault> {
        let until = PollType::Wait { submission_index: Some(submission), timeout: None };
        // A device that is lost while wgpu waits for it makes wgpu panic.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(until))) {
            Ok(Ok(_)) => self.check("the device failed"),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(self.fault("the device is lost")),
        }
    }
}

fn layout_entry(binding: u32) -> BindGroupLayoutEntry {
    BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer {
            ty: BufferBindingType::Storage { read_only: binding < FIRST_WRITTEN },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}

impl Driver for Vulkan {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn rounding(&self) -> Rounding {
        Rounding::Separate
    }

    fn load_nodes(&mut self, nodes: Nodes<'_>) -> Result<(), Fault> {
        // What is replaced makes room first. Bands that are being rendered keep theirs.
        self.nodes = None;
        self.nodes = Some(self.upload(&[bytes_of(&nodes)])?);
        Ok(())
    }

    fn load_tables(&mut self, tables: &SceneTables) -> Result<(), Fault> {
        self.loaded = None;
        let SceneTables { numbers, layers, sources, orientations, grids, .. } = tables;
        let wide = [numbers, layers, sources, orientations].map(|table| bytemuck::cast_slice(table));
        self.loaded =
            Some(Loaded { tables: self.upload(&wide)?, grids: self.upload(&[bytemuck::cast_slice(grids)])? });
        Ok(())
    }

    fn start(&mut self, slot: usize, band: &Band) -> Result<(), Fault> {
        self.prepare(band.formula)?;
        let (Some(loaded), Some(nodes), Some(program)) =
            (&self.loaded, &self.nodes, self.programs.get(&band.formula))
        else {
            return Err(self.fault("a band was started without its tables"));
        };
        let counts = self.upload(&[bytemuck::cast_slice(&band.counts)])?;
        let lines = self.upload(&[bytemuck::cast_slice(&band.lines)])?;
        let counts_fallbacks = band.counts_fallbacks();
        let of_pixels = band.pixels() * size_of::<f64>();
        let of_fallbacks = band.fallback_bytes();
        let written = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        let pixels = self.room(of_pixels, written, false)?;
        let fallbacks = self.room(of_fallbacks, written, false)?;
        let results =
            self.room(of_pixels + of_fallbacks, BufferUsages::MAP_READ | BufferUsages::COPY_DST, false)?;
        let bound =
            self.bind([&counts, &loaded.tables, &lines, &loaded.grids, nodes, nodes, &pixels, &fallbacks]);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(program);
        pass.set_bind_group(0, &bound, &[]);
        let groups = band.columns.len().div_ceil(wgsl::GROUP_PIXELS as usize);
        // A panel has fewer rows and columns than an image file can name.
        pass.dispatch_workgroups(groups as u32, band.rows.len() as u32, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&pixels, 0, &results, 0, of_pixels as u64);
        if counts_fallbacks {
            encoder.copy_buffer_to_buffer(&fallbacks, 0, &results, of_pixels as u64, of_fallbacks as u64);
        }
        let submission = self.queue.submit(iter::once(encoder.finish()));
        // Whether it has been mapped shows when it is read.
        results.map_async(MapMode::Read, .., |_| {});
        self.check("the device failed")?;
        self.slots[slot] = Some(InFlight { submission, results, pixels: band.pixels(), counts_fallbacks });
        Ok(())
    }

    fn finish(&mut self, slot: usize, pixels: Pixels<'_>, fallbacks: &mut [u32]) -> Result<(), Fault> {
        let Some(band) = self.slots[slot].take() else {
            return Err(self.fault("a band was finished that was not started"));
        };
        self.wait(band.submission)?;
        let view = band.results.get_mapped_range(..).map_err(|error| self.failed(&error))?;
        let (wide, counted) = view.split_at(band.pixels * size_of::<f64>());
        let photons = wide.as_chunks().0.iter().map(|&bytes| f64::from_ne_bytes(bytes));
        match pixels {
            Pixels::Wide(pixels) => pixels.iter_mut().zip(photons).for_each(|(to, from)| *to = from),
            Pixels::Narrow(pixels) => pixels.iter_mut().zip(photons).for_each(|(to, from)| *to = from as f32),
        }
        if band.counts_fallbacks {
            let counted = counted.as_chunks().0.iter().map(|&bytes| u32::from_ne_bytes(bytes));
            fallbacks.iter_mut().zip(counted).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}
