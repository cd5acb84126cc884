# nomad job run proctor.nomad.hcl. Nomad places the container and replaces it on another machine; proctord restarts
# what is in it. The check decides whether Consul lists the service.
job "web" {
  type = "service"

  group "web" {
    count = 2

    network {
      port "http" { to = 8080 }
    }

    # proctord has tried already: what ends the container is not cured by the same machine.
    restart {
      attempts = 1
      mode     = "fail"
    }

    service {
      name = "web"
      port = "http"

      check {
        type     = "script"
        task     = "web"
        command  = "proctorctl"
        args     = ["wait", "web", "--for=ready", "--timeout=1s", "--quiet"]
        interval = "10s"
        timeout  = "3s"
      }
    }

    task "web" {
      driver       = "docker"
      kill_timeout = "30s"

      config {
        image = "web"
        ports = ["http"]
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }
  }
}
