//! Row: three replicas beside one, through a load balancer that picks one at random for each request: pulls of small images,
//! and some pushes. One and three take turns, three with three times the clients, so that each is as busy as the one was,
//! and with those of one; the CPU is that of all replicas that are asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::Bench;
use crate::client::{Conn, Res};
use crate::payload::{self, Image, MANIFEST};
use crate::push;
use crate::servers::Server;
use crate::table::{Demand, Line, Sample};

/// Clients of one replica.
const AT_ONCE: usize = 8;
/// Images that are pulled.
const PULLED: usize = 16;
/// So many turns pull, then one pushes.
const PULLS: usize = 20;
/// Requests of a pull and of a push.
const REQUESTS: [usize; 2] = [2 + 2 * 4, 2 * 4 + 1];

/// Requests for each CPU second.
pub fn rows(bench: &Bench) -> Res<Vec<Line>> {
    let database = bench.stand.database("replicas")?;
    let start = |number| bench.replica("replicas", number, &bench.stand.s3.url, &database);
    let servers = [start(1)?, start(2)?, start(3)?];
    let all: Vec<&Server> = servers.iter().collect();
    let (one, three) = (&all[..1], &all[..]);
    let balancers = [bench.balancer("one", one)?, bench.balancer("three", three)?];
    let images: Vec<Image> = (0..PULLED).map(|number| payload::image(number as u64 + 1)).collect();
    for (number, image) in images.iter().enumerate() {
        push::image(&mut connect(&balancers[1])?, &repository(number), "latest", image)?;
    }
    let contestants =
        [(one, &balancers[0], AT_ONCE), (three, &balancers[1], 3 * AT_ONCE), (three, &balancers[1], AT_ONCE)];
    let turns = bench.size(2000, 300);
    let (mut taken, mut next) = (<[Vec<Sample>; 3]>::default(), 1000);
    for pass in 0..=bench.size(4, 2) {
        for ((replicas, balancer, clients), taken) in contestants.iter().zip(&mut taken) {
            let sample = measure(replicas, balancer, *clients, &images, turns, next)?;
            next += turns;
            if pass > 0 {
                taken.push(sample); // the first one warms up
            }
        }
    }
    let [one, busy, idle] = taken.map(|passes| whole(&passes));
    let each = |sample: &Sample| sample.work / sample.cpu;
    let beside = |figure: f64, unit: &str| {
        format!("one replica {figure:.0} {unit} ({:.2} s, CPU {:.2} s)", one.wall, one.cpu)
    };
    let mut lines = Vec::new();
    for (three, clients) in [(busy, 3 * AT_ONCE), (idle, AT_ONCE)] {
        let work = format!(
            "small images through a balancer, 20 pulls for each push: three replicas, {clients} clients; one, {AT_ONCE}"
        );
        bench.say(&format!("{work}: {:.0} for each CPU second, one {:.0}", each(&three), each(&one)));
        let demand = match clients {
            AT_ONCE => Demand::Told,
            _ => Demand::AtLeast(each(&one), "one replica".into()),
        };
        lines.push(
            Line::new(&work, "requests a CPU second")
                .samples([Some(three), None], each)
                .beside(beside(each(&one), "a CPU second"))
                .demand(&demand),
        );
        lines.push(
            Line::new(&work, "requests/s")
                .samples([Some(three), None], Sample::rate)
                .beside(beside(one.rate(), "a second"))
                .demand(&Demand::Told),
        );
    }
    Ok(lines)
}

/// All passes as one.
fn whole(passes: &[Sample]) -> Sample {
    passes.iter().fold(Sample::default(), |sum, pass| Sample {
        work: sum.work + pass.work,
        wall: sum.wall + pass.wall,
        cpu: sum.cpu + pass.cpu,
    })
}

fn repository(number: usize) -> String {
    format!("bench/app-{number}")
}

fn connect(balancer: &Server) -> Res<[Conn; 3]> {
    Ok([Conn::open(balancer.addr)?, Conn::open(balancer.addr)?, Conn::open(balancer.addr)?])
}

/// So many turns, the first of which has the number `first`: no image is pushed twice.
fn measure(
    replicas: &[&Server],
    balancer: &Server,
    clients: usize,
    images: &[Image],
    turns: usize,
    first: usize,
) -> Res<Sample> {
    let cpu = || replicas.iter().map(|replica| replica.cpu()).sum::<Res<f64>>();
    let pushed: Vec<Image> =
        (0..=turns / (PULLS + 1)).map(|number| payload::image((first + number) as u64)).collect();
    let (turn, pushed) = (&AtomicUsize::new(0), &pushed);
    let (before, began) = (cpu()?, Instant::now());
    let requests: Vec<Res<usize>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(move || -> Res<usize> {
                    let (mut conns, mut requests) = (connect(balancer)?, 0);
                    loop {
                        let number = turn.fetch_add(1, Ordering::Relaxed);
                        if number >= turns {
                            return Ok(requests);
                        }
                        if number % (PULLS + 1) == PULLS {
                            let image = &pushed[number / (PULLS + 1)];
                            let name = repository(number % PULLED);
                            push::image(&mut conns, &name, &format!("v{}", first + number), image)?;
                            requests += REQUESTS[1];
                        } else {
                            pull(&mut conns[0], &repository(number % PULLED), &images[number % PULLED])?;
                            requests += REQUESTS[0];
                        }
                    }
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into())))
            .collect()
    });
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu()? - before);
    let work = requests.into_iter().sum::<Res<usize>>()? as f64;
    Ok(Sample { work, wall, cpu })
}

/// What a client asks for that finds the tag moved: the manifest, then each blob, HEAD before GET.
fn pull(conn: &mut Conn, name: &str, image: &Image) -> Res<()> {
    let accept = format!("Accept: {MANIFEST}\r\n");
    let path = format!("/v2/{name}/manifests/latest");
    conn.send("HEAD", &path, &accept, b"")?;
    conn.answer_head()?.expect(200, "HEAD of a manifest")?;
    conn.send("GET", &path, &accept, b"")?;
    conn.answer()?.expect(200, "GET of a manifest")?;
    for blob in image.layers.iter().chain([&image.config]) {
        let path = format!("/v2/{name}/blobs/{}", blob.digest);
        conn.send("HEAD", &path, "", b"")?;
        conn.answer_head()?.expect(200, "HEAD of a blob")?;
        conn.send("GET", &path, "", b"")?;
        conn.answer()?.expect(200, "GET of a blob")?;
    }
    Ok(())
}
